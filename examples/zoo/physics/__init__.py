"""Dynamics, controllers, residuals of physics."""
