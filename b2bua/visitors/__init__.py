"""CallNow requests of visitors, from the form to their one end."""
