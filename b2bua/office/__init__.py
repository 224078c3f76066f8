"""The back office: what the API and the command line ask of one database."""
