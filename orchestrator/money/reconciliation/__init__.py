"""An account beside the statement of the outside source that it stands for. Nothing is booked by this."""
