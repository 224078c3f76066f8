"""`ringback apply`: a file of accounts, phones, trunks and prices, read, checked and carried out."""
