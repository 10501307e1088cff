"""Measurements that ship with the program: what is compared is compared within one run."""
