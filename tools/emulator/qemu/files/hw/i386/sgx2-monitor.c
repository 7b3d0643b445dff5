/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * "sgx2-monitor": the guest's access to the SGX2 machine. The registers are in
 * sgx2_device.h, which guest programs share.
 *
 * Accesses run under the BQL, which is taken before the locks of the model.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "cpu.h"
#include "hw/pci/pci_device.h"
#include "qom/object.h"
#include "sgx2_model.h"
#include "target/i386/tcg/sgx.h"
#include "sgx2_device.h"

#define TYPE_SGX2_MONITOR "sgx2-monitor"
OBJECT_DECLARE_SIMPLE_TYPE(Sgx2Monitor, SGX2_MONITOR)

/* The window has the counters as an array of u64. */
QEMU_BUILD_BUG_ON(sizeof(struct sgx2_counters) !=
                  SGX2_DEV_CTR_COUNT * sizeof(uint64_t));
QEMU_BUILD_BUG_ON(offsetof(struct sgx2_counters, injected) !=
                  SGX2_DEV_CTR_INJECTED * sizeof(uint64_t));
QEMU_BUILD_BUG_ON(SGX2_DEV_COUNTERS + sizeof(struct sgx2_counters) >
                  SGX2_DEV_BAR_SIZE);

QEMU_BUILD_BUG_ON(SGX2_DEV_LEAVES != SGX2_LEAVES);

struct Sgx2Monitor {
    PCIDevice parent_obj;

    MemoryRegion bar;
    uint64_t entry;
    uint64_t inject[(SGX2_DEV_INJ_ENTROPY - SGX2_DEV_INJ_SEED) / 8 + 1];
    uint64_t encls[SGX2_DEV_LEAVES], enclu[SGX2_DEV_LEAVES];
    struct sgx2_counters counters;
};

static uint64_t sgx2_monitor_entry(Sgx2Monitor *s, hwaddr reg)
{
    struct sgx2_epcm_entry e;

    if (!sgx2_epcm_get(sgx_machine(), s->entry, &e)) {
        return 0;
    }
    switch (reg) {
    case SGX2_DEV_ENTRY_PHYS:
        return e.physical;
    case SGX2_DEV_ENTRY_LINEAR:
        return e.linear;
    case SGX2_DEV_ENTRY_ENCLAVE:
        return e.enclave;
    case SGX2_DEV_ENTRY_STAMP:
        return e.stamp;
    default:
        return e.valid | e.r << 1 | e.w << 2 | e.x << 3 | e.blocked << 4 |
               e.pending << 5 | e.modified << 6 | e.pr << 7 | e.type << 8;
    }
}

/* Return the rate in a register, or NULL if the register holds no rate. */
static uint64_t *sgx2_monitor_rate(Sgx2Monitor *s, hwaddr reg)
{
    switch (reg) {
    case SGX2_DEV_INJ_SEED ... SGX2_DEV_INJ_ENTROPY:
        return &s->inject[(reg - SGX2_DEV_INJ_SEED) / 8];
    case SGX2_DEV_INJ_ENCLS(0) ... SGX2_DEV_INJ_ENCLS(SGX2_LEAVES - 1):
        return &s->encls[(reg - SGX2_DEV_INJ_ENCLS(0)) / 8];
    case SGX2_DEV_INJ_ENCLU(0) ... SGX2_DEV_INJ_ENCLU(SGX2_LEAVES - 1):
        return &s->enclu[(reg - SGX2_DEV_INJ_ENCLU(0)) / 8];
    default:
        return NULL;
    }
}

static uint64_t sgx2_monitor_get(Sgx2Monitor *s, hwaddr reg)
{
    uint64_t *rate = sgx2_monitor_rate(s, reg);

    if (rate) {
        return *rate;
    }
    switch (reg) {
    case SGX2_DEV_MAGIC:
        return SGX2_DEV_MAGIC_VALUE;
    case SGX2_DEV_PAGES:
        return sgx2_epcm_pages(sgx_machine());
    case SGX2_DEV_VALID:
        return sgx2_epcm_valid(sgx_machine());
    case SGX2_DEV_ENTRY_INDEX:
        return s->entry;
    case SGX2_DEV_ENTRY_PHYS ... SGX2_DEV_ENTRY_FLAGS:
        return sgx2_monitor_entry(s, reg);
    case SGX2_DEV_COUNTERS ... SGX2_DEV_BAR_SIZE - 1:
        if (reg - SGX2_DEV_COUNTERS < sizeof(s->counters)) {
            return ((uint64_t *)&s->counters)[(reg - SGX2_DEV_COUNTERS) / 8];
        }
        return 0;
    default:
        return 0;
    }
}

static void sgx2_monitor_inject(Sgx2Monitor *s)
{
    struct sgx2_injection inj = {
        .seed = s->inject[0],
        .eblock_conflict = s->inject[1],
        .emodpr_conflict = s->inject[2],
        .emodt_conflict = s->inject[3],
        .gp_conflict = s->inject[4],
        .einit_event = s->inject[5],
        .entropy = s->inject[6],
    };

    for (int leaf = 0; leaf < SGX2_LEAVES; leaf++) {
        inj.encls[leaf] = s->encls[leaf];
        inj.enclu[leaf] = s->enclu[leaf];
    }
    sgx2_machine_inject(sgx_machine(), &inj);
}

static void sgx2_monitor_command(Sgx2Monitor *s, uint32_t command)
{
    switch (command) {
    case SGX2_DEV_CMD_CLEAR:
        sgx2_machine_counters_clear(sgx_machine());
        break;
    case SGX2_DEV_CMD_LOSE_EPC:
        sgx_lose_epc();
        break;
    case SGX2_DEV_CMD_SNAPSHOT:
        sgx2_machine_counters(sgx_machine(), &s->counters);
        break;
    case SGX2_DEV_CMD_INJECT:
        sgx2_monitor_inject(s);
        break;
    }
}

static uint64_t sgx2_monitor_read(void *opaque, hwaddr addr, unsigned size)
{
    uint64_t val = sgx2_monitor_get(opaque, addr & ~7ull);

    return size == 8 ? val : extract64(val, (addr & 4) * 8, 32);
}

static void sgx2_monitor_write(void *opaque, hwaddr addr, uint64_t val,
                               unsigned size)
{
    Sgx2Monitor *s = opaque;
    hwaddr reg = addr & ~7ull;
    uint64_t *target;

    switch (reg) {
    case SGX2_DEV_COMMAND:
        if (reg == addr) {
            sgx2_monitor_command(s, val);
        }
        return;
    case SGX2_DEV_ENTRY_INDEX:
        target = &s->entry;
        break;
    default:
        target = sgx2_monitor_rate(s, reg);
        break;
    }
    if (!target) {
        return;
    }
    *target = size == 8 ? val : deposit64(*target, (addr & 4) * 8, 32, val);
}

static const MemoryRegionOps sgx2_monitor_ops = {
    .read = sgx2_monitor_read,
    .write = sgx2_monitor_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 4, .max_access_size = 8 },
    .impl = { .min_access_size = 4, .max_access_size = 8 },
};

static void sgx2_monitor_reset(DeviceState *dev)
{
    Sgx2Monitor *s = SGX2_MONITOR(dev);

    s->entry = 0;
    memset(s->inject, 0, sizeof(s->inject));
    memset(s->encls, 0, sizeof(s->encls));
    memset(s->enclu, 0, sizeof(s->enclu));
    memset(&s->counters, 0, sizeof(s->counters));
    sgx2_monitor_inject(s);
}

static void sgx2_monitor_realize(PCIDevice *dev, Error **errp)
{
    Sgx2Monitor *s = SGX2_MONITOR(dev);

    if (!sgx_machine()) {
        error_setg(errp, TYPE_SGX2_MONITOR ": the machine has no EPC: "
                   "add one with -machine sgx-epc.0.memdev=");
        return;
    }
    memory_region_init_io(&s->bar, OBJECT(s), &sgx2_monitor_ops, s,
                          TYPE_SGX2_MONITOR, SGX2_DEV_BAR_SIZE);
    pci_register_bar(dev, 0, PCI_BASE_ADDRESS_SPACE_MEMORY, &s->bar);
}

static void sgx2_monitor_class_init(ObjectClass *oc, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(oc);
    PCIDeviceClass *pc = PCI_DEVICE_CLASS(oc);

    dc->desc = "Counters, EPCM and fault injection of the SGX2 machine";
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);
    device_class_set_legacy_reset(dc, sgx2_monitor_reset);
    pc->realize = sgx2_monitor_realize;
    pc->vendor_id = SGX2_DEV_VENDOR;
    pc->device_id = SGX2_DEV_DEVICE;
    pc->class_id = PCI_CLASS_OTHERS;
}

static const TypeInfo sgx2_monitor_info = {
    .name = TYPE_SGX2_MONITOR,
    .parent = TYPE_PCI_DEVICE,
    .instance_size = sizeof(Sgx2Monitor),
    .class_init = sgx2_monitor_class_init,
    .interfaces = (InterfaceInfo[]) {
        { INTERFACE_CONVENTIONAL_PCI_DEVICE },
        { }
    },
};

static void sgx2_monitor_register(void)
{
    type_register_static(&sgx2_monitor_info);
}

type_init(sgx2_monitor_register)
