"""Recordings: files of audio to samples of one channel, and what networks are given of them."""
