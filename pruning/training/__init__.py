"""Training on the Trainer: teacher, slimming, recovery, checkpoints, the teacher's cached answers, processes."""
