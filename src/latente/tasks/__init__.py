"""Uses of trained models: functions from a model and encoded rows to tensors, which the codec converts to the user's units."""
