"""Colours of all plots."""

# Okabe and Ito's colours, in an order that differs in grey too
INK, GREY, BLUE, ORANGE = "#222222", "#8A8A8A", "#0072B2", "#E69F00"
PALE = "#D9D9D9"
