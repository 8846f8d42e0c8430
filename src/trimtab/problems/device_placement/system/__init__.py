# SPDX-License-Identifier: Apache-2.0
"""The real thing: devices are processes, links are sockets.

==============  ================================================================================================
``processes``   One process per device, pinned to a core of its own, runs the ops of a module with PyTorch; tensors
                go over gloo, on links that the kernel shapes to the topology's rates.
``emulated``    One process per device sleeps for the time that an op takes; bytes go over sockets, paced to the
                topology's rates. For more devices than cores, and for graphs of which there is no module.
==============  ================================================================================================
"""
