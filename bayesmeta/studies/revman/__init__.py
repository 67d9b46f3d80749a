"""Exports of Review Manager, turned into plain tables."""
