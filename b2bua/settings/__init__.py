"""What a file of `ringback apply` says, entry by entry: seen and changed by the API."""
