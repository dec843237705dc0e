"""Doubles and worlds for the tests."""
