"""What a trained model is used for. Functions from a model and encoded rows to tensors; the codec turns them into the user's
units.
"""
