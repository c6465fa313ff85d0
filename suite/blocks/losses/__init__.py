"""Losses: functions of tensors that return one number per model of a stack."""
