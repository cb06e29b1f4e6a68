"""Puts itself under the filters that systemd makes for
RestrictAddressFamilies=AF_UNIX AF_NETLINK, and becomes the command given.

The rules are those of seccomp_restrict_address_families() in systemd's
src/shared/seccomp-util.c, and libseccomp makes the programs of them, as it does
for systemd: one for each ABI of the machine, the native one last.
"""

import ctypes
import os
import platform
import sys

ALLOW = 0x7FFF0000  # SCMP_ACT_ALLOW
EAFNOSUPPORT = 0x00050000 | 97  # SCMP_ACT_ERRNO(EAFNOSUPPORT)
BAD_ARCHITECTURE, NO_NEW_PRIVILEGES = 2, 3  # SCMP_FLTATR_ACT_BADARCH, _CTL_NNP
LT, EQ, GT = 2, 4, 6  # SCMP_CMP_LT, _EQ, _GT
FAMILIES = (1, 16)  # AF_UNIX, AF_NETLINK
FAMILY_MAX = 46  # AF_MAX of Linux 5.15 and later
ABIS = {"x86_64": (b"x32", b"x86_64"), "aarch64": (b"arm", b"aarch64")}


class Comparison(ctypes.Structure):  # struct scmp_arg_cmp
    _fields_ = [
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("value", ctypes.c_uint64),
        ("second", ctypes.c_uint64),
    ]


library = ctypes.CDLL("libseccomp.so.2")
library.seccomp_init.restype = ctypes.c_void_p
library.seccomp_arch_resolve_name.restype = ctypes.c_uint32
library.seccomp_arch_native.restype = ctypes.c_uint32


def check(what, result):
    if result < 0:
        sys.exit(f"libseccomp: {what}: {os.strerror(-result)}")


for name in ABIS[platform.machine()]:
    context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(ALLOW)))
    abi = library.seccomp_arch_resolve_name(name)
    native = library.seccomp_arch_native()
    if abi != native:
        check("remove", library.seccomp_arch_remove(context, ctypes.c_uint32(native)))
        check("add", library.seccomp_arch_add(context, ctypes.c_uint32(abi)))
    check("abi", library.seccomp_attr_set(context, BAD_ARCHITECTURE, ctypes.c_uint32(ALLOW)))
    check("privileges", library.seccomp_attr_set(context, NO_NEW_PRIVILEGES, ctypes.c_uint32(1)))
    socket = library.seccomp_syscall_resolve_name(b"socket")
    rules = [(LT, min(FAMILIES)), (GT, max(FAMILIES))]
    rules += [(EQ, family) for family in range(1, FAMILY_MAX) if family not in FAMILIES]
    for operator, family in rules:
        comparison = Comparison(0, operator, family, 0)
        check(
            "rule",
            library.seccomp_rule_add_exact_array(
                context, ctypes.c_uint32(EAFNOSUPPORT), socket, 1, ctypes.byref(comparison)
            ),
        )
    check("load", library.seccomp_load(context))
    library.seccomp_release(context)

os.execv(sys.argv[1], sys.argv[1:])
