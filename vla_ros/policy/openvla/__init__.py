"""OpenVLA and OpenVLA-OFT on current transformers, from the checkpoints that people have.

::

    checkpoint ── what is in a directory      statistics ── units of the actions
        │                                         │
    loading ── lora, film, quantization ──> model: vision -> projector -> Llama
                                                  │
    images ── preprocessing, image_processor ──>  │ <── prompt
                                                  │
                   openvla_policy: decoding, action_tokens -> one action
                   oft_policy: parallel, heads, diffusion  -> a chunk

The only package that imports torch. Nothing in it runs code from a checkpoint: weights are
safetensors, component files are read as plain tensors, ``auto_map`` is not followed.
"""

from vla_ros.policy.openvla.oft_policy import OpenVLAOFTPolicy, load_openvla_oft
from vla_ros.policy.openvla.openvla_policy import OpenVLAPolicy, load_openvla

__all__ = ['OpenVLAOFTPolicy', 'OpenVLAPolicy', 'load_openvla', 'load_openvla_oft']
