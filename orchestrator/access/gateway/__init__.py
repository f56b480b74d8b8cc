"""The HTTP gateway: the methods of the control socket as REST, what happens as server-sent events, and metrics.

Nothing is implemented here a second time: a request becomes a call of the one dispatch (`access/dispatch.py`).
`gateway.py` is the actor; `app.py` shows which routes there are; `guard.py` decides who gets that far.
"""
