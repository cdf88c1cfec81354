"""Files of arrays: HDF5, npz and safetensors, behind one interface."""
