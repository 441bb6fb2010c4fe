"""Load: many users at once through the API, on one machine or many, and the invariants over all rows it made.

``scene`` makes the rows, ``locustfile`` is what Locust runs in processes of its own, ``checking`` judges answers and
rows, ``job`` puts it together. Only ``locustfile`` may import Locust: the import changes Python's own sockets.
"""
