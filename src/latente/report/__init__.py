"""The report room: what a trained model looks like, as figures and as a folder of files."""
