"""One module per language: how digits, numbers and money become a row of clip names, pure."""
