"""The profit maximizer: what each instance earned, what it is believed to earn, and the shares that follow."""
