"""Studies: questions that take several fits on the same rows. How large should a code be, and which model should it be of?"""
