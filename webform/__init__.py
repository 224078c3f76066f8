"""The web pages: visitors, owners, admins. Imports b2bua.desk and nothing else of ours."""
