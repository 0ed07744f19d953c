"""The classical way to find lungs in CT: threshold, connected pieces, morphology."""
