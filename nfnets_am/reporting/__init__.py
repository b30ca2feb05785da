"""Cells to claims, tables, pictures and pages."""
