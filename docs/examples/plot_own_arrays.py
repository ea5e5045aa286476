"""
Stub
====

Text.
"""
print(1)
