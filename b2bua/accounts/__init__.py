"""The money of accounts: who pays, prepaid or postpaid."""
