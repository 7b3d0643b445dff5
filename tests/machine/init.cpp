// SPDX-License-Identifier: GPL-2.0
// PID 1 of a guest: mounts filesystems, runs the job that the runner put into the initramfs, and reports its end.
//
// /job has a file for each part of the job. Lists have a NUL after each element: argv, env, modules, drivers. Other files: token, cwd, want,
// mode, param, the parameters of the drivers, and root, a disk with a distribution. Its systemd then starts this program as a service.
// The output of the job and the verdict are on different virtio ports, so no output, also not on the console, can be taken for a
// verdict. The runner draws a token for each run, and /job is removed before the job starts.

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

constexpr int not_found = 127;
constexpr const char *service_folder = "/run/sgx2";

std::string read_file(const std::string &path)
{
	std::string text;
	const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return text;
	char buf[4096];
	for (ssize_t n; (n = read(fd, buf, sizeof(buf))) > 0;)
		text.append(buf, static_cast<size_t>(n));
	close(fd);
	return text;
}

std::vector<std::string> read_list(const std::string &path)
{
	std::vector<std::string> list;
	const std::string text = read_file(path);
	for (size_t at = 0; at < text.size();) {
		const size_t end = text.find('\0', at);
		list.push_back(text.substr(at, end - at));
		at = end == std::string::npos ? text.size() : end + 1;
	}
	return list;
}

// Writes a message, by one write() if possible, so that the runner reads whole lines.
void send_line(int fd, const std::string &line)
{
	std::string_view rest = line;
	while (!rest.empty()) {
		const ssize_t n = write(fd, rest.data(), rest.size());
		if (n < 0 && errno != EINTR)
			return;
		if (n > 0)
			rest.remove_prefix(static_cast<size_t>(n));
	}
}

[[noreturn]] void power_off()
{
	sync();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

// Prints an error on the console and powers off. The runner then reports a guest that ended without a verdict.
[[noreturn]] void give_up(const char *what)
{
	std::fprintf(stderr, "init: %s: %s\n", what, std::strerror(errno));
	power_off();
}

void mount_all()
{
	struct {
		const char *source, *target, *type;
		unsigned long flags;
		bool needed;
	} const table[] = {
		{"proc", "/proc", "proc", 0, true},
		{"sysfs", "/sys", "sysfs", 0, true},
		// Programs map enclave pages executable from the device node, which noexec would refuse.
		{"devtmpfs", "/dev", "devtmpfs", 0, true},
		{"tmpfs", "/tmp", "tmpfs", 0, true},
		{"tmpfs", "/run", "tmpfs", 0, true},
		{"tmpfs", "/dev/shm", "tmpfs", 0, false},
		{"devpts", "/dev/pts", "devpts", 0, false},
		{"debugfs", "/sys/kernel/debug", "debugfs", 0, false},
		{"tracefs", "/sys/kernel/tracing", "tracefs", 0, false},
		{"cgroup2", "/sys/fs/cgroup", "cgroup2", 0, false},
	};
	for (const auto &m : table) {
		mkdir(m.target, 0755);
		if (mount(m.source, m.target, m.type, m.flags, nullptr) != 0 && m.needed)
			give_up(m.target);
	}
	chmod("/tmp", 01777);
	chmod("/dev/shm", 01777);
	if (symlink("/proc/self/fd", "/dev/fd") != 0 && errno != EEXIST)
		give_up("/dev/fd");
}

// Loads a module. An error is printed on the console, and the job fails later if it needs the module.
bool load_module(const std::string &path, const std::string &parameters = "")
{
	const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		std::fprintf(stderr, "init: %s: %s\n", path.c_str(), std::strerror(errno));
		return false;
	}
	const bool ok = syscall(SYS_finit_module, fd, parameters.c_str(), 0) == 0 || errno == EEXIST;
	if (!ok)
		std::fprintf(stderr, "init: %s: cannot load the module: %s\n", path.c_str(), std::strerror(errno));
	close(fd);
	return ok;
}

void nap(long milliseconds)
{
	const timespec t = {milliseconds / 1000, milliseconds % 1000 * 1000000};
	nanosleep(&t, nullptr);
}

// Opens the device node of the virtio port with this name. The driver finds the ports some time after it was loaded.
int open_port(std::string_view wanted, int flags)
{
	for (int tries = 0; tries < 6000; tries++, nap(10)) {
		DIR *dir = opendir("/sys/class/virtio-ports");
		if (!dir)
			continue;
		std::string node;
		while (const dirent *entry = readdir(dir)) {
			std::string name = read_file(std::string("/sys/class/virtio-ports/") + entry->d_name + "/name");
			while (!name.empty() && name.back() == '\n')
				name.pop_back();
			if (name == wanted)
				node = std::string("/dev/") + entry->d_name;
		}
		closedir(dir);
		if (!node.empty()) {
			const int fd = open(node.c_str(), flags | O_CLOEXEC);
			if (fd >= 0)
				return fd;
		}
	}
	return -1;
}

bool sgx_device_appears()
{
	for (int tries = 0; tries < 200; tries++, nap(10))
		if (access("/dev/sgx_enclave", F_OK) == 0)
			return true;
	return false;
}

[[noreturn]] void child(int out, const std::vector<std::string> &argv, const std::vector<std::string> &env,
			const std::string &cwd, bool on_console)
{
	setsid();
	if (on_console) {
		const int tty = open("/dev/ttyS0", O_RDWR);
		if (tty >= 0) {
			ioctl(tty, TIOCSCTTY, 0);
			dup2(tty, 0);
			dup2(tty, 1);
			dup2(tty, 2);
		}
	} else {
		const int null = open("/dev/null", O_RDONLY);
		dup2(null, 0);
		dup2(out, 1);
		dup2(out, 2);
	}
	std::vector<char *> args, vars;
	for (const auto &a : argv)
		args.push_back(const_cast<char *>(a.c_str()));
	args.push_back(nullptr);
	for (const auto &v : env) {
		vars.push_back(const_cast<char *>(v.c_str()));
		if (v.starts_with("PATH="))
			putenv(vars.back());
	}
	vars.push_back(nullptr);
	if (chdir(cwd.empty() ? "/" : cwd.c_str()) != 0) {
		std::fprintf(stderr, "%s: %s\n", cwd.c_str(), std::strerror(errno));
		_exit(not_found);
	}
	execvpe(args[0], args.data(), vars.data());
	std::fprintf(stderr, "%s: %s\n", args[0], std::strerror(errno));
	_exit(errno == ENOENT ? not_found : not_found - 1);
}

// Waits for the job. The kernel makes this process the parent of every orphan; only the end of the job is the verdict.
int wait_for(pid_t job)
{
	for (;;) {
		int status = 0;
		const pid_t pid = waitpid(-1, &status, 0);
		if (pid == job)
			return status;
		if (pid < 0 && errno != EINTR)
			return -1;
	}
}

void write_file(const std::string &path, const std::string &text, mode_t mode)
{
	const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	if (fd < 0)
		give_up(path.c_str());
	send_line(fd, text);
	close(fd);
}

// Makes the disk the root, under the file systems that are mounted already, and starts its systemd. This program and the job are copied to
// /run, which systemd keeps, with a unit that runs them last.
[[noreturn]] void start_distribution(const std::string &disk)
{
	const std::string run = service_folder, units = "/run/systemd/system", wants = units + "/multi-user.target.wants";
	for (const std::string &folder : {run, run + "/job", std::string("/run/systemd"), units, wants, std::string("/disk")})
		mkdir(folder.c_str(), 0755);
	write_file(run + "/init", read_file("/init"), 0755);
	for (const char *name : {"argv", "env", "token", "cwd", "want", "mode"})
		write_file(run + "/job/" + name, read_file(std::string("/job/") + name), 0600);
	write_file(
		units + "/sgx2-job.service",
		"[Unit]\nDescription=The job of tests/machine/run\nAfter=multi-user.target\n[Service]\nType=simple\nExecStart=" +
			run + "/init\nTimeoutStartSec=infinity\nOOMPolicy=continue\n",
		0644);
	if (symlink("../sgx2-job.service", (wants + "/sgx2-job.service").c_str()) != 0)
		give_up("the unit");
	for (int tries = 0; mount(disk.c_str(), "/disk", "ext4", 0, nullptr) != 0; tries++) {
		if (errno != ENOENT || tries == 6000)
			give_up(disk.c_str());
		nap(10);
	}
	for (const char *name : {"/dev", "/proc", "/sys", "/run"})
		if (mount(name, (std::string("/disk") + name).c_str(), nullptr, MS_MOVE, nullptr) != 0)
			give_up(name);
	if (chdir("/disk") != 0 || mount(".", "/", nullptr, MS_MOVE, nullptr) != 0 || chroot(".") != 0 || chdir("/") != 0)
		give_up("/disk");
	execl("/sbin/init", "/sbin/init", nullptr);
	give_up("/sbin/init");
}

} // namespace

int main()
{
	const bool service = getpid() != 1;
	const std::string folder = service ? std::string(service_folder) + "/job" : "/job";
	if (!service)
		mount_all();
	const auto argv = read_list(folder + "/argv");
	const auto env = read_list(folder + "/env");
	const auto token = read_file(folder + "/token");
	const auto cwd = read_file(folder + "/cwd");
	const auto want = read_file(folder + "/want");
	const bool on_console = read_file(folder + "/mode") == "console";
	const auto drivers = read_list(folder + "/drivers");
	const auto parameters = read_file(folder + "/param");
	for (const auto &module : read_list(folder + "/modules"))
		load_module(module);
	if (const auto disk = read_file(folder + "/root"); !disk.empty())
		start_distribution(disk);
	const int verdict = open_port("sgx2.verdict", O_WRONLY);
	const int out = open_port("sgx2.output", O_WRONLY);
	if (verdict < 0 || out < 0 || argv.empty() || token.empty())
		give_up("no virtio port, or no job");
	for (const char *name : {"argv", "env", "token", "cwd", "want", "mode", "modules", "drivers", "param", "root"})
		unlink((folder + "/" + name).c_str());

	const std::string head = "{\"token\": \"" + token + "\", ";
	send_line(verdict, head + "\"at\": \"init\", \"tsc\": " + std::to_string(__builtin_ia32_rdtsc()) + "}\n");
	for (const auto &driver : drivers) {
		if (!load_module(driver, parameters)) {
			send_line(verdict, head + "\"at\": \"end\", \"error\": \"no-driver\"}\n");
			power_off();
		}
	}
	if (want == "epc" && !sgx_device_appears()) {
		send_line(verdict, head + "\"at\": \"end\", \"error\": \"no-epc\"}\n");
		power_off();
	}

	const pid_t job = fork();
	if (job == 0)
		child(out, argv, env, cwd, on_console);
	const int status = job < 0 ? -1 : wait_for(job);
	const char *how = WIFSIGNALED(status) ? "signal" : "status";
	const int number = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
	send_line(verdict, head + "\"at\": \"end\", \"" + how + "\": " + std::to_string(number) + "}\n");
	power_off();
}
