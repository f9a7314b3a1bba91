"""Parts of NNI's inside that algorithms use."""
