// SPDX-License-Identifier: GPL-2.0
/*
 * The attribute x86/sgx_total_bytes of NUMA nodes in sysfs.
 *
 * The kernel creates the group x86 and leaves it empty while its own driver has no EPC. The devices
 * of the nodes are not exported, but the kset of all devices contains them, and the first node has
 * a pointer to their bus. The bus notifies the module before a node is removed and after one is
 * added, so the group exists whenever the module uses it.
 */
#include <linux/device.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/notifier.h>
#include <linux/numa.h>
#include <linux/sysfs.h>
#include "hw.h"
#include "node.h"

#define SGX2_NODE_GROUP "x86"

/* Protects sgx2_node_mask and sgx2_node_open. */
static DEFINE_MUTEX(sgx2_node_lock);
/* Nodes that have the attribute; further ones may get it. Under sgx2_node_lock. */
static nodemask_t sgx2_node_mask;
static bool sgx2_node_open;
/* The bus of the nodes, or NULL; constant after sgx2_node_init(). */
static typeof_member(struct device, bus) sgx2_node_bus;

static u64 sgx2_node_bytes(int wanted)
{
	unsigned int i;
	u64 bytes = 0;

	for (i = 0; i < sgx2_hw.sections; i++) {
		int node = numa_map_to_online_node(phys_to_target_node(sgx2_hw.section[i].base));

		if (node == NUMA_NO_NODE)
			node = first_online_node;
		if (node == wanted)
			bytes += sgx2_hw.section[i].size;
	}
	return bytes;
}

static ssize_t sgx_total_bytes_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", sgx2_node_bytes(dev->id));
}
static DEVICE_ATTR_RO(sgx_total_bytes);

/* Adds the attribute to a node that has EPC, if the node does not have it. */
static int sgx2_node_add(struct device *dev, void *unused)
{
	guard(mutex)(&sgx2_node_lock);
	if (sgx2_node_open && sgx2_node_bytes(dev->id) && !node_isset(dev->id, sgx2_node_mask) &&
	    !sysfs_add_file_to_group(&dev->kobj, &dev_attr_sgx_total_bytes.attr, SGX2_NODE_GROUP))
		node_set(dev->id, sgx2_node_mask);
	return 0;
}

/* Removes the attribute of a node. */
static int sgx2_node_remove(struct device *dev, void *unused)
{
	guard(mutex)(&sgx2_node_lock);
	if (node_isset(dev->id, sgx2_node_mask))
		sysfs_remove_file_from_group(&dev->kobj, &dev_attr_sgx_total_bytes.attr,
					     SGX2_NODE_GROUP);
	node_clear(dev->id, sgx2_node_mask);
	return 0;
}

static int sgx2_node_event(struct notifier_block *block, unsigned long event, void *data)
{
	if (event == BUS_NOTIFY_ADD_DEVICE)
		sgx2_node_add(data, NULL);
	else if (event == BUS_NOTIFY_DEL_DEVICE)
		sgx2_node_remove(data, NULL);
	return NOTIFY_DONE;
}

static struct notifier_block sgx2_node_block = { .notifier_call = sgx2_node_event };

void sgx2_node_init(struct device *device)
{
	struct kobject *found;
	char name[16];

	scnprintf(name, sizeof(name), "node%d", first_online_node);
	found = kset_find_obj(device->kobj.kset, name);
	if (!found)
		return;
	sgx2_node_bus = kobj_to_dev(found)->bus;
	/* A device that is no node may have that name. */
	if (sgx2_node_bus && strcmp(sgx2_node_bus->name, "node"))
		sgx2_node_bus = NULL;
	kobject_put(found);
	if (!sgx2_node_bus)
		return;
	scoped_guard(mutex, &sgx2_node_lock)
		sgx2_node_open = true;
	if (bus_register_notifier(sgx2_node_bus, &sgx2_node_block)) {
		sgx2_node_bus = NULL;
		return;
	}
	bus_for_each_dev(sgx2_node_bus, NULL, NULL, sgx2_node_add);
}

void sgx2_node_exit(void)
{
	if (!sgx2_node_bus)
		return;
	scoped_guard(mutex, &sgx2_node_lock)
		sgx2_node_open = false;
	bus_for_each_dev(sgx2_node_bus, NULL, NULL, sgx2_node_remove);
	bus_unregister_notifier(sgx2_node_bus, &sgx2_node_block);
}
