"""What the fault campaigns share: a layer under the store, a model of a disk, a small job, child processes."""
