"""Rendered streets: what runs inside Blender, in a process and a Python of its own.

Blender's module ``bpy`` is GPL and needs Python 3.11 and numpy 1.26. So nothing here imports PocketDepth, PocketDepth
imports nothing from here but what needs no ``bpy``, and imports are relative: the process finds this folder alone.

``python -m blender`` (:mod:`.__main__`) reads settings and scene numbers, and writes raw frames. A scene is a function
of its seed:

- :mod:`.layout` draws a street; :mod:`.lots`, :mod:`.surroundings` and :mod:`.traffic` place things on it
- :mod:`.road` is its ground and its coordinates; :mod:`.street` gathers what is placed
- :mod:`.buildings`, :mod:`.plants`, :mod:`.vehicles`, :mod:`.people`, :mod:`.furniture` model single things
- :mod:`.geometry` gathers polygons; :mod:`.materials` and :mod:`.shader_nodes` make surfaces, :mod:`.light` the sky
- :mod:`.camera` takes the pictures; :mod:`.usable` refuses those that teach nothing
"""
