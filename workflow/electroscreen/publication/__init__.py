"""Results to hand on: tables together with the small files that they follow from, and the proof that they do."""
