"""The methods that people and programs call, one file a topic."""
