"""A link redirector whose commissions are booked on signed postbacks and statements only."""
