"""Figures as SVG, drawn from plain values: pure functions that give text.

Colours and fonts are classes (`s0`, `ink`, `grid`, …) of a style sheet that whoever shows them brings; so one drawing
is right in the light and in the dark, and nothing is said by colour alone.
"""
