"""What population based training is made of: members, their checkpoint directories, perturbation."""
