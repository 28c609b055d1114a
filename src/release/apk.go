package main

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

// Numbers of the fields; apk-tools 3.0.6, src/apk_adb.h.
const (
	infoName          = 1
	infoVersion       = 2
	infoHashes        = 3
	infoDescription   = 4
	infoArch          = 5
	infoLicense       = 6
	infoOrigin        = 7
	infoMaintainer    = 8
	infoInstalledSize = 12
	infoFileSize      = 13
	infoDepends       = 15
	infoProvides      = 16

	packageInfo    = 1
	packagePaths   = 2
	packageScripts = 3

	folderName  = 1
	folderACL   = 2
	folderFiles = 3

	fileName  = 1
	fileACL   = 2
	fileSize  = 3
	fileMtime = 4
	fileHash  = 5

	aclMode  = 1
	aclUser  = 2
	aclGroup = 3

	scriptPreInstall   = 2
	scriptPostInstall  = 3
	scriptPreDeinstall = 4
	scriptPreUpgrade   = 6
	scriptPostUpgrade  = 7

	dependencyName = 1

	indexDescription = 1
	indexPackages    = 2
)

// uniqueIDLen is the length of the hash of a package's tree that the tree itself carries.
const uniqueIDLen = 20

// apkFile is a written package, with its data for an index.
type apkFile struct {
	pack *pack
	data []byte
	tree [sha256.Size]byte // hash of the tree: the package's identity
	size int               // installed
}

// apk writes a package for apk version 3, like `apk mkpkg` in OpenWrt's build system.
func apk(p *pack, at time.Time, key *apkKey) (*apkFile, error) {
	files := p.apkFiles()
	a := newADB()
	id := kindBlob8 | value(a.put(append([]byte{uniqueIDLen}, make([]byte, uniqueIDLen)...), 1))
	root := a.object(map[int]value{
		packageInfo:    a.info(p, files.size(), map[int]value{infoHashes: id}),
		packagePaths:   a.paths(files, at),
		packageScripts: a.scripts(p),
	})
	tree := a.finish(root)
	// The identity is the hash of the tree in which it is zero.
	hash := sha256.Sum256(tree)
	copy(tree[(id&offsetMask)+1:], hash[:uniqueIDLen])

	var blocks []byte
	for i, folder := range folders(files) {
		for j, name := range filesIn(files, folder) {
			if data := files[path.Join(folder, name)].data; len(data) > 0 {
				where := binary.LittleEndian.AppendUint32(nil, uint32(i+1))
				blocks = appendBlock(blocks, blockData, binary.LittleEndian.AppendUint32(where, uint32(j+1)), data)
			}
		}
	}
	data, err := container(schemaPackage, tree, key, blocks)
	return &apkFile{pack: p, data: data, tree: sha256.Sum256(tree), size: files.size()}, err
}

// apkName returns the name of a package's file, without the architecture: apk expects a folder for each.
func apkName(p *pack) string { return fmt.Sprintf("%s-%s.apk", p.name, p.version) }

// apkIndex returns the index of a folder of packages.
func apkIndex(packages []*apkFile, key *apkKey) ([]byte, error) {
	packages = slices.SortedFunc(slices.Values(packages), func(x, y *apkFile) int { return strings.Compare(x.pack.name, y.pack.name) })
	a := newADB()
	infos := make([]value, 0, len(packages))
	for _, f := range packages {
		infos = append(infos, a.info(f.pack, f.size, map[int]value{
			infoHashes: a.blob(f.tree[:]), infoFileSize: a.number(uint64(len(f.data))),
		}))
	}
	root := a.object(map[int]value{indexDescription: a.text("SSTP client"), indexPackages: a.array(infos)})
	return container(schemaIndex, a.finish(root), key, nil)
}

// info writes the description of the package. apk knows no conflicts, but two packages exclude each other where one provides the
// other's name. The provided name has no version, because `apk upgrade` would prefer the higher version by itself.
func (a *adb) info(p *pack, size int, more map[int]value) value {
	arch := p.arch
	if arch == all {
		arch = "noarch"
	}
	fields := map[int]value{
		infoName: a.text(p.name), infoVersion: a.text(p.version), infoDescription: a.text(strings.Join(p.lines(), " ")),
		infoArch: a.text(arch), infoLicense: a.text(p.license), infoOrigin: a.text("sstp"), infoMaintainer: a.text(p.maintainer),
		infoInstalledSize: a.number(uint64(size)), infoDepends: a.dependencies(slices.Concat(p.depends, p.recommends)),
		infoProvides: a.dependencies(p.provides),
	}
	maps.Copy(fields, more)
	return a.object(fields)
}

// paths writes the tree of folders and files.
func (a *adb) paths(files payload, at time.Time) value {
	var values []value
	for _, folder := range folders(files) {
		mode := uint32(0o755)
		if e, ok := files[folder]; ok {
			mode = uint32(e.mode.Perm())
		}
		var inside []value
		for _, name := range filesIn(files, folder) {
			e := files[path.Join(folder, name)]
			hash := sha256.Sum256(e.data)
			inside = append(inside, a.object(map[int]value{
				fileName: a.text(name), fileACL: a.acl(uint32(e.mode.Perm())), fileSize: a.number(uint64(len(e.data))),
				fileMtime: a.number(uint64(at.Unix())), fileHash: a.blob(hash[:]),
			}))
		}
		values = append(values, a.object(map[int]value{folderName: a.text(folder), folderACL: a.acl(mode), folderFiles: a.array(inside)}))
	}
	return a.array(values)
}

func (a *adb) acl(mode uint32) value {
	return a.object(map[int]value{aclMode: a.number(uint64(mode)), aclUser: a.text("root"), aclGroup: a.text("root")})
}

// scripts writes the package's scripts inside those that OpenWrt's build system puts around them.
func (a *adb) scripts(p *pack) value {
	post := strings.ReplaceAll(apkPostInstall, "NAME", p.name) + body(p.scripts["postinst"])
	fields := map[int]value{
		scriptPostInstall:  a.text(post),
		scriptPostUpgrade:  a.text(apkUpgrade + body(post)),
		scriptPreDeinstall: a.text(strings.ReplaceAll(apkPreDeinstall, "NAME", p.name) + body(p.scripts["prerm"])),
	}
	if pre := p.scripts["preinst"]; pre != "" {
		fields[scriptPreInstall] = a.text(pre)
		fields[scriptPreUpgrade] = a.text(apkUpgrade + body(pre))
	}
	return a.object(fields)
}

// apkFiles returns the package's files with the notes that OpenWrt's functions.sh reads: the list of the files, and the user that
// the package needs.
func (p *pack) apkFiles() payload {
	files := maps.Clone(p.files)
	if p.user != "" {
		files.addFile("lib/apk/packages/"+p.name+".rusers", 0o644, []byte(p.user+"\n"))
	}
	list := files.files()
	slices.Sort(list)
	files.addFile("lib/apk/packages/"+p.name+".list", 0o644, []byte("/"+strings.Join(list, "\n/")+"\n"))
	return files
}

// folders returns all folders, the root as "" first, in the order of their bytes.
func folders(files payload) []string {
	names := []string{""}
	for name, e := range files {
		if e.mode.IsDir() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// filesIn returns the names of the files in a folder, sorted.
func filesIn(files payload, folder string) []string {
	var names []string
	for name, e := range files {
		dir, base := path.Split(name)
		if !e.mode.IsDir() && strings.TrimSuffix(dir, "/") == folder {
			names = append(names, base)
		}
	}
	slices.Sort(names)
	return names
}
