"""Reports: what came in lately, what waits, what fails. They return plain values, for any page.

People look while something is wrong, and looking must not make it worse. So each figure is bounded,
by hours or by a number of rows, and read through the index that its docstring names.
"""
