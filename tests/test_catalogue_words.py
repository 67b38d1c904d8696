"""What the catalogue says of its recipes."""

import re

from latente.catalogue import recipes


def test_summaries_of_recipes_keep_to_the_vocabulary():
    said = " ".join(recipe.summary for recipe in recipes())
    assert "mixture prior" in said and not re.search(r"\blaws?\b|\bholes\b", said), said
