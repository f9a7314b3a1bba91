"""Takes the code and the SDK to other machines: packed once, sent once to each, unpacked once."""
