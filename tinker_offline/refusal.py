"""What the service answers to a request that it will not do."""


class Refusal(Exception):
    """Becomes an HTTP error of this status, or a failed future of category `user` where work was already queued."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
