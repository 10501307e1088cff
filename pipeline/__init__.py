"""Vigil watches cameras and tells people what matters. The distribution and the command are called
`vigil`; the package is `pipeline`."""
