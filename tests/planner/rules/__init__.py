"""The rules of planning, a table for each chapter."""
