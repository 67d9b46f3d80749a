"""What each study does to the result: leave-one-out, influence measures, predicted effects."""
