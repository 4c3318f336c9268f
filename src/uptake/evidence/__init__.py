"""Does a tool make a difference? Studies from a frozen plan to a verdict that says what it cannot know.

Read in this order: plan (what is asked, frozen) -> data, marts (one row for each student) -> designs over linear and
matching (the estimate) -> gates (may it be believed) -> inference, sensitivity (how sure) -> verdict (in a sentence)
-> run (all of it) -> store, cli. The method is written out in docs/evidence.md.
"""
