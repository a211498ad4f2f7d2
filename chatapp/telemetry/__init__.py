"""Logs, health and metrics for operators."""
