"""Colours of all plots."""

# Okabe and Ito's, in an order that differs in grey too
INK, GREY, BLUE, ORANGE = "#222222", "#8A8A8A", "#0072B2", "#E69F00"
SKY, PURPLE, PALE = "#56B4E9", "#CC79A7", "#DDDDDD"
