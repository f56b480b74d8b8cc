"""The ledger in formats that others read: beancount for an auditor, CSV for a spreadsheet, JSON lines for a program."""
